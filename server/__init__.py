"""The local inference server: engine, models, result store, HTTP edge and command line."""
