--- busted's output for tests/run: each failure in full, and one last line of counts to be read by it.
-- A test that fails twice (by itself, and for what it left) counts once; what fails outside of a test, as a
-- file that does not load, counts as one failed test.
local base = require "busted.outputHandlers.base"

-- "root,nft": words in the reasons of skips that are failures here, "all" for each.
local MUST = os.getenv("LUABOX_MUST") or ""

local function must_run(reason)
  if MUST == "all" then return true end
  for word in MUST:gmatch("[^,]+") do
    if reason:find(word, 1, true) then return true end
  end
  return false
end

local function indented(text)
  return (text:gsub("\n+$", ""):gsub("\n", "\n    "))
end

return function()
  local busted = require "busted"
  local handler = base()
  io.stdout:setvbuf "line" -- what was told is there when the file is killed as too late
  local order, results = {}, {} -- elements as they ended; element → "passed", "failed" or "skipped"

  local function record(element, result)
    if not results[element] then order[#order + 1] = element end
    if results[element] ~= "failed" then results[element] = result end
  end

  local function report(element, message, trace)
    print(("FAILED %s"):format(handler.getFullName(element)))
    print("    " .. indented(tostring(message)))
    if trace and trace.traceback then print("    " .. indented(trace.traceback:gsub("^\n", ""))) end
  end

  local function on_failure(element, _, message, trace)
    record(element, "failed")
    report(element, message, trace)
    return nil, true
  end

  local function on_pending(element, _, message)
    element.reason = message
    return nil, true
  end

  local function skip(element)
    local reason = tostring(element.reason or element.name):gsub("^%S+:%d+: ", "") -- a pending block's name
    if must_run(reason) then
      record(element, "failed")
      report(element, "skipped, and LUABOX_MUST=" .. MUST .. " forbids it: " .. reason)
    else
      record(element, "skipped")
      print(("skipped %s: %s"):format(handler.getFullName(element), reason))
    end
  end

  local function on_test_end(element, _, status)
    if status == "pending" then skip(element) else record(element, status == "success" and "passed" or "failed") end
    return nil, true
  end

  local function on_exit()
    local counts = { passed = 0, failed = 0, skipped = 0 }
    for _, element in ipairs(order) do counts[results[element]] = counts[results[element]] + 1 end
    print(("#counts %d %d %d"):format(counts.passed, counts.failed, counts.skipped))
    io.stdout:flush()
    return nil, true
  end

  function handler.subscribe()
    require "busted.languages.en"
    busted.subscribe({ "test", "end" }, on_test_end, { priority = 1 })
    busted.subscribe({ "pending" }, on_pending)
    busted.subscribe({ "failure" }, on_failure)
    busted.subscribe({ "error" }, on_failure)
    busted.subscribe({ "exit" }, on_exit)
  end

  return handler
end
