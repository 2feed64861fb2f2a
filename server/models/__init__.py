"""The models that answer the functions: tokens in, numbers out."""
