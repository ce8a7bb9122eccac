#!/bin/sh
# Make .venv ready: `setup.sh run` for using Skyweave, `setup.sh dev` for working on it; `setup.sh ns3`
# makes .venv-ns3, an environment of its own for the packet runs (CPython 3.11 has a wheel).
# Nothing is done when pyproject.toml and the interpreter are those of the last set-up.
set -eu
wanted=${1:-run}

python=
for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
    if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "setup: CPython 3.11 or newer is needed and was not found; install it, or set PYTHON=/path/to/python" >&2
    exit 1
fi
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    echo "setup: $python has no venv module; install it (on Debian: apt-get install python3-venv) and run this again" >&2
    exit 1
fi

state=$( { cat pyproject.toml; "$python" -VV; pwd; } | cksum)
if [ "$wanted" != ns3 ] && [ "$(cat ".venv/.ready-$wanted" 2>/dev/null)" = "$state" ]; then
    exit 0
fi

# Run a command quietly, with a sign of life every four seconds, and show its output if it fails.
patiently() {
    what=$1
    shift
    log=$(mktemp)
    started=$(date +%s)
    "$@" >"$log" 2>&1 &
    job=$!
    while kill -0 "$job" 2>/dev/null; do
        echo "setup: $what ($(($(date +%s) - started)) s)" >&2
        for _ in 1 2 3 4 5 6 7 8; do
            kill -0 "$job" 2>/dev/null || break
            sleep 0.5
        done
    done
    if ! wait "$job"; then
        cat "$log" >&2
        rm -f "$log"
        echo "setup: $what failed; the reason stands above" >&2
        exit 1
    fi
    rm -f "$log"
}

if [ "$wanted" = ns3 ]; then
    packages="ns3==3.44.post0 sgp4 numpy"
    if [ "$(cat .venv-ns3/.ready 2>/dev/null)" != "$packages" ]; then
        patiently "making .venv-ns3 with $("$python" -V)" "$python" -m venv .venv-ns3
        # shellcheck disable=SC2086
        patiently "installing ns-3" .venv-ns3/bin/python -m pip install --disable-pip-version-check $packages
        echo "$packages" >.venv-ns3/.ready
    fi
    exit 0
fi

extras='[control]'
[ "$wanted" = dev ] && extras='[dev,bench,docs]'
patiently "making .venv with $("$python" -V)" "$python" -m venv .venv
patiently "installing Skyweave and what it needs" .venv/bin/python -m pip install --disable-pip-version-check -e ".$extras"
# Another's log and witness, to test ours against.  They ask for CPython 3.12 and run on 3.11 as well.
[ "$wanted" = dev ] && patiently "installing another log and witness" \
    .venv/bin/python -m pip install --disable-pip-version-check --no-deps --ignore-requires-python \
    aics-tlog==0.2.1 aics-witness==0.1.0
echo "$state" >".venv/.ready-$wanted"
[ "$wanted" = dev ] && echo "$state" >.venv/.ready-run
exit 0
