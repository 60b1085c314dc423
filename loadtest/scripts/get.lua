-- One entity a request, drawn uniformly. The request is pasted by hand: wrk.format costs the
-- generator more than the servers that it measures.
local view, entities = os.getenv("VIEW"), tonumber(os.getenv("ENTITIES"))
local head = "GET /features/" .. view .. "/"
local tail = " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

function init()
  math.randomseed(os.time())
end

function request()
  return head .. math.random(1, entities) .. tail
end
