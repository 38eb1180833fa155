"""An audit: what is wrong in files, which of it counts, what recognises it again, and fixing it."""
