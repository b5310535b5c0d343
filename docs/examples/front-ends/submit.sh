#!/bin/sh
# A front end with redis-cli (or valkey-cli) alone. The answer goes to standard output.
#
#   sh submit.sh redis://127.0.0.1:6379/0 https://example.org/clip.mp4 > answer.json
#
# CLI is the command, QUEUE_NAME the queue.
set -eu
redis_url=$1 video_url=$2 seconds=30
cli="${CLI:-redis-cli} -u $redis_url" queue="${QUEUE_NAME:-touchline}"

token=$(od -An -N10 -tx1 /dev/urandom | tr -d ' \n')
now=$($cli --raw TIME | head -1) # deadlines count by Redis's clock
challenge=$(printf '{"challenge_id":"cli-%s","video_url":"%s","kind":"gsr","submitted_at":%s,"deadline":%s}' \
  "$token" "$video_url" "$now" "$((now + seconds))")
body=$(printf '[[%s,"%s"],{},{"callbacks":null,"errbacks":null,"chain":null,"chord":null}]' "$challenge" "$token" |
  base64 | tr -d '\n')
printf '{"body":"%s","content-type":"application/json","content-encoding":"utf-8","headers":{"task":"touchline.answer","id":"%s","root_id":"%s","lang":"sh","ignore_result":true},"properties":{"delivery_tag":"%s","delivery_info":{"exchange":"","routing_key":"%s"},"body_encoding":"base64","priority":0}}' \
  "$body" "$token" "$token" "$token" "$queue" | $cli -x LPUSH "$queue" >/dev/null

# the reply: four bytes with the length of a JSON header, the header, then the answer
reply=$(mktemp)
trap 'rm -f "$reply"' EXIT
# BLPOP waits; --raw prints the name of the list, a line feed, and the element as it is
$cli --raw BLPOP "touchline:reply:$token" "$((seconds + 1))" | tail -c "+$((${#token} + 18))" >"$reply"
[ -s "$reply" ] || { echo "no answer before the deadline" >&2; exit 1; }
head=$(($(head -c 4 "$reply" | od -An -tu1 | awk '{print (($1 * 256 + $2) * 256 + $3) * 256 + $4}')))
if head -c "$((head + 4))" "$reply" | tail -c "$head" | grep -q '"error":{'; then
  head -c "$((head + 4))" "$reply" | tail -c "$head" >&2
  exit 1
fi
tail -c "+$((head + 5))" "$reply"
