"""Conversations: who speaks next, and what each member is told; pure, the engine does the rest."""
