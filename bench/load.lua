-- One script for every scenario. Arguments after `--`:
--   headers=browser   600 bytes of request headers, as a browser sends them
--   body=4096         POST a body of so many bytes
--   close=yes         a connection for each request
--   pipeline=16       so many requests in one write
--   routes=50         ask for /things<n> and /things<n>/42 in turn

local browser = {
  ["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  ["Accept-Encoding"] = "gzip, deflate, br, zstd",
  ["Accept-Language"] = "en-GB,en;q=0.9,de;q=0.8,fr;q=0.7",
  ["Cache-Control"] = "max-age=0",
  ["Cookie"] = "session=4f1c9a0d7b3e4e6f8a2b5c6d7e8f9a0b; theme=dark; consent=yes; visited=2026-01-15T10:20:30Z",
  ["Referer"] = "https://www.example.com/catalogue/items?page=3",
  ["Sec-Fetch-Dest"] = "document",
  ["Sec-Fetch-Mode"] = "navigate",
  ["Sec-Fetch-Site"] = "same-origin",
  ["Upgrade-Insecure-Requests"] = "1",
  ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
}

function init(arguments)
  local want = {}
  for _, argument in ipairs(arguments) do
    local name, value = argument:match("^(%w+)=(.+)$")
    if name then want[name] = value end
  end

  if want.headers == "browser" then
    for name, value in pairs(browser) do wrk.headers[name] = value end
  end
  if want.close then wrk.headers["Connection"] = "close" end
  if want.body then
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/octet-stream"
    wrk.body = string.rep("x", tonumber(want.body))
  end

  -- A `request` function is called for each request, so there is one only where it is needed.
  if want.pipeline then
    local batch = string.rep(wrk.format(), tonumber(want.pipeline))
    request = function() return batch end
  elseif want.routes then
    local requests, turn = {}, 0
    for index = 0, tonumber(want.routes) - 1 do
      requests[#requests + 1] = wrk.format(nil, "/things" .. index)
      requests[#requests + 1] = wrk.format(nil, "/things" .. index .. "/42")
    end
    request = function()
      turn = turn % #requests + 1
      return requests[turn]
    end
  end
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    'result {"requestCount":%d,"durationMicros":%d,"statusErrorCount":%d,"socketErrorCount":%d,"p50Micros":%d,"p99Micros":%d}',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)
  ))
end
