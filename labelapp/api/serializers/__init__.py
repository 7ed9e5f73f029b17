"""How rows look as JSON, and which bodies are understood. One module per app that is served."""
