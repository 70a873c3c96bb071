"""Engagement while a conversation goes on, from cameras and microphones, or from files at the pace of life.

sources -> person (one thread each: face, cues, row by row) -> conversation (grid, model with carried state) -> outputs
"""
