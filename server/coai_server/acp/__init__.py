"""The door for editors' agent panels: COAI's specialists over the Agent Client Protocol.

https://agentclientprotocol.com/protocol/overview
"""
