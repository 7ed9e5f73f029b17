"""The whole main job, as its users go: commands in processes of their own, a real server, a real browser."""
