#!/usr/bin/env bash
# kcat into md5sum: both sides at once, on each a partition after the other. Prints {"digests": [[...], [...]]}: a list of
# partitions for each side.
#
#   bash kcat.sh LEFT RIGHT TOPIC RECORDS
set -euo pipefail
left=$1 right=$2 topic=$3 records=$4

read_side() { # SIDE
    local partition digests=()
    for partition in 0 1 2; do
        digests+=("$(kcat -C -q -b "${!1}" -t "$topic" -p "$partition" -o beginning -c "$records" -f '%k\t%s\n' |
            md5sum | cut -d ' ' -f 1)")
    done
    printf '["%s", "%s", "%s"]' "${digests[@]}"
}

exec {other}< <(read_side right)
reading=$!
left_digests=$(read_side left)
right_digests=$(cat <&"$other")
wait "$reading"
printf '{"digests": [%s, %s]}\n' "$left_digests" "$right_digests"
