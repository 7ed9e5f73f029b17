"""Thin views: they find the rows, call one service, and show what came of it."""
