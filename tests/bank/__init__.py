"""Banks' files."""
