"""Results: access and event tables, statistics, run folders, the report and plots."""
