//! What is run inside of the server: each script compares the place's id first, and is done wholly or not at all.
//!
//! A value is a hash with its version `n` and its bytes `v`; the sorted set `keys` is their index, since a scan would
//! read the whole server.

use ::redis::Script;

/// Keys of all but the first: id, index, value. First argument: the id that the gateway knows.
pub(super) struct Scripts {
    /// Gives the id, and gives one to a place that has none if asked to. Arguments: known or empty, fresh.
    pub(super) id: Script,
    /// Version and value, each nil where there is none.
    pub(super) get: Script,
    /// 1 when the value was put there. Further arguments: version seen or empty, next version, value, key.
    pub(super) swap: Script,
    /// 1 when the value was removed. Further arguments: version seen, key.
    pub(super) remove: Script,
    /// Key, version and value of each. Further arguments: beginning of the keys, beginning of values' names.
    pub(super) list: Script,
}

impl Scripts {
    pub(super) fn new() -> Scripts {
        let checked = |body: &str| Script::new(&format!("{CHECK}{body}"));
        Scripts {
            id: Script::new(ID),
            get: checked(GET),
            swap: checked(SWAP),
            remove: checked(REMOVE),
            list: checked(LIST),
        }
    }
}

/// What the error of a place begins with that is not the one that the gateway knows.
pub(super) const LOST: &str = "LOSTMEMORY";

const CHECK: &str = "
local id = redis.call('GET', KEYS[1])
if id ~= ARGV[1] then return redis.error_reply('LOSTMEMORY ' .. (id or '')) end
";

const ID: &str = "
if ARGV[1] == '' then redis.call('SET', KEYS[1], ARGV[2], 'NX') end
return redis.call('GET', KEYS[1]) or ''
";

const GET: &str = "
return redis.call('HMGET', KEYS[3], 'n', 'v')
";

const SWAP: &str = "
local found = redis.call('HGET', KEYS[3], 'n') or ''
if found ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[3], 'n', ARGV[3], 'v', ARGV[4])
redis.call('ZADD', KEYS[2], 0, ARGV[5])
return 1
";

const REMOVE: &str = "
if redis.call('HGET', KEYS[3], 'n') ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[3])
redis.call('ZREM', KEYS[2], ARGV[3])
return 1
";

const LIST: &str = "
local found = {}
for _, key in ipairs(redis.call('ZRANGEBYLEX', KEYS[2], '[' .. ARGV[2], '(' .. ARGV[2] .. string.char(255))) do
  local value = redis.call('HMGET', ARGV[3] .. key, 'n', 'v')
  if value[1] then found[#found + 1] = {key, value[1], value[2]} end
end
return found
";
