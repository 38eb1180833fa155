"""`coai demo`: a real daemon, a real model, and an editor that types, on this screen."""
