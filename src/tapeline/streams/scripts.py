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
    LAYOUT,
    PAYLOAD,
    REASON,
    ROUTED_ID,
    SNAPSHOT_ID,
    SWITCHED,
    TERM,
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

# KEYS: layout.  ARGV: what it has to be, what it becomes; empty for none.
CHANGE_LAYOUT = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""

# KEYS: state, rows, watermark, note.  ARGV: epoch or nothing, watermark or nothing, "1" with a note, the note, then of
# each entry how many parts, and these.
PUBLISH = f"""
local epoch = redis.call('HGET', KEYS[1], '{LAYOUT.decode()}')
if epoch and ARGV[1] ~= '' and epoch ~= ARGV[1] then return {{'layout'}} end
local found, n = {{'ok'}}, 5
while n <= #ARGV do
  local last = n + tonumber(ARGV[n])
  found[#found + 1] = redis.call('XADD', KEYS[2], '*', unpack(ARGV, n + 1, last))
  n = last + 1
end
if ARGV[2] ~= '' then redis.call('SET', KEYS[3], ARGV[2]) end
if ARGV[3] == '1' then redis.call('SET', KEYS[4], ARGV[4]) end
return found
"""

# KEYS: lease of the router, its state, what lanes were given.  ARGV: token.
# The term goes by the clock, so that it rises even if it is lost.
OPEN_ROUTE = f"""
local holder = redis.call('GET', KEYS[1])
if holder ~= ARGV[1] then return {{'owner', holder or ''}} end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local term = math.max(now, tonumber(redis.call('HGET', KEYS[2], '{TERM.decode()}') or 0) + 1)
term = string.format('%.0f', term)
redis.call('HSET', KEYS[2], '{TERM.decode()}', term)
local applied = redis.call('HGET', KEYS[2], '{APPLIED_ID.decode()}') or '0-0'
return {{'ok', term, applied, unpack(redis.call('HGETALL', KEYS[3]))}}
"""

# KEYS: lease of the router, its state, what lanes were given.
# ARGV: token, applied id of before and of now, entries between them, then lane and id of those that have less.
REWIND_ROUTE = f"""
local holder = redis.call('GET', KEYS[1])
if holder ~= ARGV[1] then return {{'owner', holder or ''}} end
local at = redis.call('HGET', KEYS[2], '{APPLIED_ID.decode()}') or '0-0'
if at ~= ARGV[2] then return {{'moved', at}} end
redis.call('HSET', KEYS[2], '{APPLIED_ID.decode()}', ARGV[3])
redis.call('HINCRBY', KEYS[2], '{ENTRIES_APPLIED.decode()}', -ARGV[4])
redis.call('HSET', KEYS[3], unpack(ARGV, 5))
return {{'ok'}}
"""

# KEYS: state of a lane.  ARGV: term.
FENCE_ROUTE = f"""
local term = tonumber(redis.call('HGET', KEYS[1], '{TERM.decode()}') or 0)
if term > tonumber(ARGV[1]) then return {{'term'}} end
redis.call('HSET', KEYS[1], '{TERM.decode()}', ARGV[1])
return {{'ok', redis.call('HGET', KEYS[1], '{ROUTED_ID.decode()}') or ''}}
"""

# KEYS: state and rows of each lane.
# ARGV: term, id, then of each lane the id that it has to stand at, how many frames, and these.
PUT = f"""
local n = 3
for i = 1, #KEYS, 2 do
  if redis.call('HGET', KEYS[i], '{TERM.decode()}') ~= ARGV[1] then return {{'term'}} end
  if (redis.call('HGET', KEYS[i], '{ROUTED_ID.decode()}') or '0-0') ~= ARGV[n] then return {{'term'}} end
  n = n + 2 + tonumber(ARGV[n + 1])
end
n = 4
for i = 1, #KEYS, 2 do
  local last = n + tonumber(ARGV[n])
  for k = n + 1, last do redis.call('XADD', KEYS[i + 1], '*', '{FRAME.decode()}', ARGV[k]) end
  redis.call('HSET', KEYS[i], '{ROUTED_ID.decode()}', ARGV[2])
  n = last + 2
end
return {{'ok'}}
"""

# KEYS: lease of the router, its state, its dead letters, ingress, what lanes were given.
# ARGV: token, before id, applied id, entries, most dead letters kept, group, how many lanes were given some, these,
# then (reason, payload) of the dead.
MOVE_ROUTE = f"""
local holder = redis.call('GET', KEYS[1])
if holder ~= ARGV[1] then return {{'owner', holder or ''}} end
local at = redis.call('HGET', KEYS[2], '{APPLIED_ID.decode()}') or '0-0'
if at ~= ARGV[2] then return {{'moved', at}} end
local given = 7 + ARGV[7]
for n = 8, given do redis.call('HSET', KEYS[5], ARGV[n], ARGV[3]) end
for n = given + 1, #ARGV, 2 do
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', '{REASON.decode()}', ARGV[n], '{PAYLOAD.decode()}',
             ARGV[n + 1])
end
redis.call('HSET', KEYS[2], '{APPLIED_ID.decode()}', ARGV[3])
redis.call('HINCRBY', KEYS[2], '{ENTRIES_APPLIED.decode()}', ARGV[4])
redis.pcall('XGROUP', 'SETID', KEYS[4], ARGV[6], ARGV[3])
return {{'ok'}}
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

# KEYS: lease, state, snapshot, closed, dead, alerts, rows, then one per hot symbol.
# ARGV: token, before id, applied id, entries, "1" with a snapshot, how many parts, closed, dead, alerts, most dead
# letters and alerts kept, hot life in ms, then (name, part), (id, payload) of the closed, (id, reason, payload) of the
# dead, (id, JSON) of the alerts, hot values.
COMMIT = f"""
{_CHECK_OWNER}
local at = redis.call('HGET', KEYS[2], '{APPLIED_ID.decode()}') or '0-0'
if at ~= ARGV[2] then return {{'moved', at}} end
if #redis.call('XRANGE', KEYS[7], ARGV[3], ARGV[3]) == 0 then return {{'gone', ARGV[3]}} end
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
for i = 8, #KEYS do
  redis.call('SET', KEYS[i], ARGV[n], 'PX', ARGV[12])
  n = n + 1
end
redis.call('HSET', KEYS[2], '{APPLIED_ID.decode()}', ARGV[3])
redis.call('HINCRBY', KEYS[2], '{ENTRIES_APPLIED.decode()}', ARGV[4])
if ARGV[5] == '1' then redis.call('HSET', KEYS[2], '{SNAPSHOT_ID.decode()}', ARGV[3]) end
return {{'ok', ''}}
"""

# KEYS: alerts, taken.  ARGV: lane, most alerts kept, then (both numbers of the id, alert id, JSON) in the lane's order.
TAKE_ALERTS = f"""
local at = redis.call('HGET', KEYS[2], ARGV[1]) or '0-0'
local ms, number = string.match(at, '(%d+)-(%d+)')
ms, number = tonumber(ms), tonumber(number)
for n = 3, #ARGV, 4 do
  local this_ms, this = tonumber(ARGV[n]), tonumber(ARGV[n + 1])
  if this_ms > ms or (this_ms == ms and this > number) then
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*',
               '{ALERT_ID.decode()}', ARGV[n + 2], '{ALERT.decode()}', ARGV[n + 3])
    redis.call('HSET', KEYS[2], ARGV[1], ARGV[n] .. '-' .. ARGV[n + 1])
  end
end
return 1
"""

# KEYS: state.  ARGV: epoch.
SHUT = f"return redis.call('HSET', KEYS[1], '{LAYOUT.decode()}', ARGV[1])"

# KEYS: staged.  ARGV: (name, part) of the state.
STAGE = """
for n = 1, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[n], ARGV[n + 1]) end
return 1
"""

# KEYS: what is dropped.
DROP = "return redis.call('DEL', unpack(KEYS))"

# KEYS: state, snapshot, staged.  ARGV: epoch.
FUTURE = f"""
local switched = redis.call('HGET', KEYS[1], '{SWITCHED.decode()}') == ARGV[1]
return redis.call('HGETALL', switched and KEYS[2] or KEYS[3])
"""

# KEYS: hot states.
TAKE_HOT = """
local found = {}
for _, key in ipairs(KEYS) do
  found[#found + 1] = redis.call('GET', key) or ''
  found[#found + 1] = redis.call('PTTL', key)
end
return found
"""

# KEYS: hot states.  ARGV: value and life in ms of each.
PUT_HOT = """
for i, key in ipairs(KEYS) do redis.call('SET', key, ARGV[2 * i - 1], 'PX', ARGV[2 * i], 'NX') end
return #KEYS
"""

# KEYS: state, snapshot, rows, closed, watermark, note, staged.
# ARGV: epoch, "1" where symbols live, frame for the rows, frames for the closed, watermark, note; empty for none.
SWITCH = f"""
if redis.call('HGET', KEYS[1], '{SWITCHED.decode()}') == ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
if ARGV[2] == '1' and redis.call('EXISTS', KEYS[7]) == 1 then redis.call('RENAME', KEYS[7], KEYS[2]) end
if ARGV[3] ~= '' then
  local id = redis.call('XADD', KEYS[3], '*', '{FRAME.decode()}', ARGV[3])
  redis.call('HSET', KEYS[1], '{SNAPSHOT_ID.decode()}', id, '{APPLIED_ID.decode()}', id)
  redis.call('HINCRBY', KEYS[1], '{ENTRIES_APPLIED.decode()}', 1)
  redis.call('HDEL', KEYS[1], '{FAILING_ID.decode()}', '{FAILURES.decode()}')
  if ARGV[4] ~= '' then redis.call('XADD', KEYS[4], id, '{FRAME.decode()}', ARGV[4]) end
end
if ARGV[2] == '1' then
  for i = 5, 6 do
    if ARGV[i] == '' then redis.call('DEL', KEYS[i]) else redis.call('SET', KEYS[i], ARGV[i]) end
  end
end
redis.call('HSET', KEYS[1], '{SWITCHED.decode()}', ARGV[1])
return 1
"""
