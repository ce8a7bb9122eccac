"""How close the twin comes to real dishes: its models fitted, scored and compared on recordings.

Its modules are used by name (`realism.serving.score_serving`), so that each loads what it needs.
"""
