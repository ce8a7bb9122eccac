# Every target sets up what it needs in .venv first; set-up is not repeated when nothing changed.
PYTHON ?= python3
RUN = .venv/bin/python

.PHONY: demo test lint prove bench calibrate docs clean

demo:
	@sh tools/setup.sh run
	@.venv/bin/skyweave demo

lint:
	@sh tools/setup.sh dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

test: lint
	$(RUN) -m pytest -n 2

prove: lint
	@sh tools/setup.sh ns3
	$(RUN) tools/prove.py

bench:
	@sh tools/setup.sh dev
	$(RUN) tools/bench.py

calibrate:
	@sh tools/setup.sh dev
	$(RUN) tools/calibrate.py

docs:
	@sh tools/setup.sh dev
	$(RUN) tools/reference.py
	.venv/bin/mkdocs build --strict

clean:
	rm -rf .venv .prove site demo
