"""The embedded engine: a llama.cpp server in a child process, and the store of its weights."""
