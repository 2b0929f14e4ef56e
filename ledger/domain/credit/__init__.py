"""Credit: on what terms an account is supplied, where it stands by them, and how a top-up is applied. Pure."""
