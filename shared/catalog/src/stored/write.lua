-- Writes products to the catalog cache, each only if Redis has no newer version: the one place where two writers meet.
-- KEYS[i] is a product's key; ARGV[3i-2] its new text, ARGV[3i-1] the time to live in ms, ARGV[3i] the unreadable text
-- that the writer saw under the key and means to replace, or ''. Returns how many keys were written.

-- The version in a stored product, as digits; nil for nothing, another type, an unknown SKU, or text of no product.
local function version_in(text)
  if type(text) ~= 'string' or #text > 64 then return nil end
  return string.match(text, '^(%d+) %d+ %u%u%u [01]$')
end

-- Versions are compared as digits: Lua's numbers are doubles, exact to 2^53 only.
local function newer(a, b)
  return #a > #b or (#a == #b and a > b)
end

local written = 0
for i, key in ipairs(KEYS) do
  local text, ttl_ms, unreadable = ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i]
  local stored = redis.pcall('GET', key)
  local stored_version, version = version_in(stored), version_in(text)
  local replaces = stored_version == nil or stored == unreadable
  if not replaces and version ~= nil then replaces = not newer(stored_version, version) end
  if replaces then
    redis.call('SET', key, text, 'PX', ttl_ms)
    written = written + 1
  end
end
return written
