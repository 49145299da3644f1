#!/bin/sh
# start.sh -- one node of Kafka in a StatefulSet: its own lines below the common ones, its data formatted once.
#
#   NODES       how many there are; each is broker and controller
#   POD         this one's name; kafka-N is node N
#   NAMESPACE   of the pods
#   CLUSTER_ID  the same on all of them: 16 bytes in URL-safe base64
#   HEAP        of the Java machine
#   PROPERTIES  the file to write     (/tmp/server.properties)
set -eu
here=$(dirname "$0")
node=${POD##*-}
domain=kafka-nodes.$NAMESPACE.svc.cluster.local
voters=
for n in $(seq 0 $((NODES - 1))); do
    voters=${voters:+$voters,}$n@kafka-$n.$domain:9093
done
properties=${PROPERTIES:-/tmp/server.properties}
{
    # The last line of a key counts.
    cat "$here/kafka.properties"
    [ ! -e "$here/replication.properties" ] || cat "$here/replication.properties"
    cat <<EOF
node.id=$node
controller.quorum.voters=$voters
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
advertised.listeners=PLAINTEXT://$POD.$domain:9092,CONTROLLER://$POD.$domain:9093
log.dirs=/data/kafka
EOF
} >"$properties"

set -- "-Xms$HEAP" "-Xmx$HEAP" -XX:+UseSerialGC -XX:-UsePerfData -Djava.awt.headless=true \
    -Dlog4j2.configurationFile=/opt/kafka/config/tools-log4j2.yaml -cp '/opt/kafka/libs/*'
java "$@" kafka.tools.StorageTool format --ignore-formatted -t "$CLUSTER_ID" -c "$properties"
# The Java machine takes the place of this shell: it gets SIGTERM and ends cleanly.
exec java "$@" kafka.Kafka "$properties"
