#!/bin/sh
# Log-probs, gradients, losses and trained weights of every family against PyTorch in float64.
root=$(cd "$(dirname "$0")/../.." && pwd)
PYTHON=${PYTHON:-/usr/bin/python3}
if [ ! -d "$root/../shared/oracle" ] || ! "$PYTHON" -c 'import torch' 2>/dev/null; then
	echo '1..0 # SKIP needs ../shared/oracle and python3-torch'
	exit 0
fi
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
"$PYTHON" "$root/tests/oracle/compare.py" "$root/../shared/oracle" "$BIN" "${ORACLE:-$BIN/../oracle}/gradients" "$tmp" \
	"$root/../shared/data/models/stories260K"
