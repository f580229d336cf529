-- A script for wrk: sends the requests of a file in random order, and prints the results as JSON.
--
--   wrk -t1 ... -s wrk.lua URL -- FILE
--
-- FILE is described in bench/load/open_loop.cpp. If it has a single request, wrk sends that
-- without calling Lua, and may have several threads. Several chains run at once over the
-- connections of one wrk thread, and wrk does not report which connection an answer belongs to. So
-- the answers of a chain carry its user's id, and no user has two chains.

local chains = {}   -- each a list of steps
local running = {}  -- by user id: {chain, step}
local ready = {}    -- steps that can be sent: {chain, step, item id}
local position = 0

local function text(step)
  local headers = {["Authorization"] = step.token,
                   ["Content-Type"] = step.body and "application/json"}
  return wrk.format(step.method, step.path, headers, step.body)
end

local function read(path)
  for line in io.lines(path) do
    local more, method, target, token, body = line:match("^(%+?)(%u+)\t([^\t]*)\t([^\t]*)\t(.*)$")
    local step = {method = method, path = target, token = token ~= "" and token or nil,
                  body = body ~= "" and body or nil}
    step.text = text(step)
    if more == "+" then
      table.insert(chains[#chains], step)
    else
      local user = target:match("/cart%-item/(%d+)/create") or target:match("/cart/(%d+)/")
      table.insert(chains, {step, user = user})
    end
  end
end

local function random()
  return chains[math.random(#chains)][1].text
end

local function next_step()
  local waiting = table.remove(ready)
  if waiting then
    local chain, number, id = unpack(waiting)
    running[chain.user] = {chain, number}
    return (chain[number].text:gsub("{id}", id, 1))
  end
  position = position % #chains + 1
  local chain = chains[position]
  running[chain.user] = {chain, 1}
  return chain[1].text
end

local function answered(status, headers, body)
  if status >= 300 then refusal = refusal or status .. " " .. body end
  local user, id = body:match('"user_id":(%d+)'), body:match('.*"id":(%d+)')
  local state = user and running[user]
  if state and state[1][state[2] + 1] then
    table.insert(ready, {state[1], state[2] + 1, id})
  end
end

function setup(the_thread)
  thread = the_thread
end

function init(arguments)
  math.randomseed(os.time())
  read(arguments[1])
  if #chains == 1 and #chains[1] == 1 then
    local step = chains[1][1]
    wrk.method, wrk.path, wrk.body = step.method, step.path, step.body
    wrk.headers["Authorization"] = step.token
    wrk.headers["Content-Type"] = step.body and "application/json"
    return
  end
  request = random
  for _, chain in ipairs(chains) do
    if #chain > 1 then
      request, response = next_step, answered
      break
    end
  end
end

function done(summary, latency, requests)
  local errors, refusal = summary.errors, thread:get("refusal")
  if refusal then io.write("\nfirst refusal: ", refusal, "\n") end
  io.write(string.format('\nRESULT {"requests": %d, "seconds": %.6f, "refusals": %d, '
    .. '"timeouts": %d, "connect_errors": %d, "broken": %d, "p50_ms": %.3f, "p99_ms": %.3f}\n',
    summary.requests, summary.duration / 1e6, errors.status, errors.timeout, errors.connect,
    errors.read + errors.write, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
