#!/usr/bin/env bash
# kafka-consumer-perf-test on both sides at once: it counts, and compares nothing. Prints its line of figures for each.
#
#   bash perf_test.sh CLASSPATH LEFT RIGHT TOPIC RECORDS      # RECORDS of the whole topic
set -euo pipefail
export CLASSPATH=$1
left=$2 right=$3 topic=$4 records=$5

# With the settings of Kafka's own kafka-consumer-perf-test.sh.
perf_test() {
    java -Xmx512M -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 \
        -Dorg.slf4j.simpleLogger.defaultLogLevel=error org.apache.kafka.tools.ConsumerPerformance --hide-header \
        --bootstrap-server "$1" --topic "$topic" --num-records "$records" --timeout 30000
}

exec {other}< <(perf_test "$right")
reading=$!
perf_test "$left"
cat <&"$other"
wait "$reading"
