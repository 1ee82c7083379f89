#!/usr/bin/env bash
# What an operator does by hand: each partition of each cluster through the console consumer into a file, one after the
# other, and the md5 of the files compared. Prints {"digests": [[...], [...]]}: a list of partitions for each side.
#
#   bash console_consumer.sh CLASSPATH LEFT RIGHT TOPIC RECORDS
set -euo pipefail
export CLASSPATH=$1
left=$2 right=$3 topic=$4 records=$5
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# With the settings of Kafka's own kafka-console-consumer.sh.
console_consumer() {
    java -Xmx512M -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 \
        -Dorg.slf4j.simpleLogger.defaultLogLevel=error org.apache.kafka.tools.consumer.ConsoleConsumer "$@"
}

declare -A md5
for partition in 0 1 2; do
    for side in left right; do
        console_consumer --bootstrap-server "${!side}" --topic "$topic" --partition "$partition" --offset earliest \
            --max-messages "$records" >"$folder/$side"
        md5[$side-$partition]=$(md5sum <"$folder/$side" | cut -d ' ' -f 1)
    done
    if [[ ${md5[left-$partition]} != "${md5[right-$partition]}" ]]; then
        echo "partition $partition differs" >&2
        exit 1
    fi
done
printf '{"digests": [["%s", "%s", "%s"], ["%s", "%s", "%s"]]}\n' \
    "${md5[left-0]}" "${md5[left-1]}" "${md5[left-2]}" "${md5[right-0]}" "${md5[right-1]}" "${md5[right-2]}"
