"""The API's operations, one module per thing that they are about."""
