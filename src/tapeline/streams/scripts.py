"""What the server does in one step, in its own Lua; each script runs wholly or, on a failed check, not at all.

In: KEYS of one lane and ARGV as told above each script.  Out: 1 or a count, or the reason for doing nothing.
Checks come before the first write, because a script that fails half-way is not rolled back.
"""

from __future__ import annotations

from tapeline.streams.keys import (
    ALERT,
    ALERT_ID,
    APPLIED_ID,
    ENTRIES_APPLIED,
    FAILING_ID,
    FAILURES,
    FRAME,
    PAYLOAD,
    REASON,
    SNAPSHOT_ID,
)

# KEYS: workers.  ARGV: worker id, life in ms.
HEARTBEAT = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
return redis.call('ZCARD', KEYS[1])
"""

# KEYS: lease.  ARGV: token, life in ms.
LEASE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

# KEYS: lease.  ARGV: token.
RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""

# KEYS: from, to.  ARGV: id of the entry that is dropped, then of each new entry how many parts, and these.
MOVE = """
if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then return 0 end
local n = 2
while n <= #ARGV do
  local last = n + tonumber(ARGV[n])
  redis.call('XADD', KEYS[2], '*', unpack(ARGV, n + 1, last))
  n = last + 1
end
return redis.call('XDEL', KEYS[1], ARGV[1])
"""

_CHECK_OWNER = """
local holder = redis.call('GET', KEYS[1])
if holder ~= ARGV[1] then return {'owner', holder or ''} end
"""

# KEYS: lease, state.  ARGV: token, entry id.
COUNT_FAILURE = f"""
{_CHECK_OWNER}
if redis.call('HGET', KEYS[2], '{FAILING_ID.decode()}') ~= ARGV[2] then
  redis.call('HSET', KEYS[2], '{FAILING_ID.decode()}', ARGV[2], '{FAILURES.decode()}', 0)
end
return {{'ok', tostring(redis.call('HINCRBY', KEYS[2], '{FAILURES.decode()}', 1))}}
"""

# KEYS: lease, state, snapshot, closed, dead, alerts, then one per hot symbol.
# ARGV: token, before id, applied id, entries, "1" with a snapshot, how many parts, closed, dead, alerts, most dead
# letters and alerts kept, hot life in ms, then (name, part), (id, payload) of the closed, (id, reason, payload) of the
# dead, (id, JSON) of the alerts, hot values.
COMMIT = f"""
{_CHECK_OWNER}
local at = redis.call('HGET', KEYS[2], '{APPLIED_ID.decode()}') or '0-0'
if at ~= ARGV[2] then return {{'moved', at}} end
local n = 13
for _ = 1, ARGV[6] do
  if ARGV[n + 1] == '' then
    redis.call('HDEL', KEYS[3], ARGV[n])
  else
    redis.call('HSET', KEYS[3], ARGV[n], ARGV[n + 1])
  end
  n = n + 2
end
for _ = 1, ARGV[7] do
  redis.call('XADD', KEYS[4], ARGV[n], '{FRAME.decode()}', ARGV[n + 1])
  n = n + 2
end
for _ = 1, ARGV[8] do
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[10], ARGV[n], '{REASON.decode()}', ARGV[n + 1],
             '{PAYLOAD.decode()}', ARGV[n + 2])
  n = n + 3
end
for _ = 1, ARGV[9] do
  redis.call('XADD', KEYS[6], 'MAXLEN', '~', ARGV[11], '*',
             '{ALERT_ID.decode()}', ARGV[n], '{ALERT.decode()}', ARGV[n + 1])
  n = n + 2
end
for i = 7, #KEYS do
  redis.call('SET', KEYS[i], ARGV[n], 'PX', ARGV[12])
  n = n + 1
end
redis.call('HSET', KEYS[2], '{APPLIED_ID.decode()}', ARGV[3])
redis.call('HINCRBY', KEYS[2], '{ENTRIES_APPLIED.decode()}', ARGV[4])
if ARGV[5] == '1' then redis.call('HSET', KEYS[2], '{SNAPSHOT_ID.decode()}', ARGV[3]) end
return {{'ok', ''}}
"""
