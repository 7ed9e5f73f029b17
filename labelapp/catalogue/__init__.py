"""What was recorded, and what the machine said of it.

The lowest app: it imports no other app, and no mlcore. Every other app may import it.
"""
