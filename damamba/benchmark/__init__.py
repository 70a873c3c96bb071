"""What models cost: parameters, peak memory of a step, time. No data and no training are needed.

Each configuration runs in a process of its own, so that its peak memory is its own.
"""
