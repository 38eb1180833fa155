"""The door for programs over HTTP: REST, events of runs, an OpenAI-compatible proxy, and a page.

A process of its own, because what it needs takes a second to import: `coai http`.
"""
