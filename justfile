# `just` shows what there is; each recipe is one command that also works by hand.

default:
    @just --list

# The main job: recorded callers on the lab, and a report.
demo *arguments:
    uv run --extra lab patchbay demo {{arguments}}

# Everything CI checks.
check: lint test

test *arguments:
    uv run --all-extras pytest -n 2 {{arguments}}

lint:
    uv run --all-extras ruff check .
    uv run --all-extras ruff format --check .
    uv run --all-extras mypy
    uv run --all-extras lint-imports

format:
    uv run --all-extras ruff check --fix .
    uv run --all-extras ruff format .

# Overhead against a bare AgentSession, hand-offs, the tap, decisions: ratios, paired in one run.
bench *arguments:
    uv run --all-extras python -m lab.bench {{arguments}}

# Train the emotion model again from EmoDB (see classifiers/emotion/MODEL_CARD.md).
train-emotion data:
    uv run --all-extras patchbay train emotion --data {{data}} --out classifiers/emotion/model

train-tool-need data:
    uv run --all-extras patchbay train tool-need --corpora {{data}} --out classifiers/tool_need/model

# Pin what pyproject.toml resolves to.
lock:
    uv lock
    uv export --quiet --all-extras --no-emit-project --format requirements-txt --no-header --no-annotate > requirements.lock
