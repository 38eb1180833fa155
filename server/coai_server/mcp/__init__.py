"""The door for other agents: COAI's specialists as tools of the Model Context Protocol.

https://modelcontextprotocol.io/specification
"""
