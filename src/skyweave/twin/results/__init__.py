"""Results: access and event tables, statistics, run folders, the report and plots.

Nothing is re-exported here: pandas and Matplotlib load only where tables and pictures are made.
"""
