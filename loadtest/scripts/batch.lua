-- Batches of 100 entities, drawn uniformly; 2,000 batches are made ahead and asked in turn.
local view, entities = os.getenv("VIEW"), tonumber(os.getenv("ENTITIES"))
local requests, at = {}, 0

function init()
  math.randomseed(os.time())
  for i = 1, 2000 do
    local keys = {}
    for j = 1, 100 do
      keys[j] = '"' .. math.random(1, entities) .. '"'
    end
    local body = '{"entities":[' .. table.concat(keys, ",") .. "]}"
    requests[i] = "POST /features/" .. view .. "/batch HTTP/1.1\r\nHost: 127.0.0.1\r\n"
      .. "Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end
