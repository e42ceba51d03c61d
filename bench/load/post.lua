-- wrk -s post.lua URL -- BYTES LINE…: a chat completion request as an SDK sends it, with as many bytes of content.
function init(args)
  local before, after = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"', '"}]}'
  wrk.method = "POST"
  wrk.body = before .. string.rep("x", tonumber(args[1]) - #before - #after) .. after
  for i = 2, #args do
    local name, value = args[i]:match("^(.-): (.*)$")
    wrk.headers[name] = value
  end
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Accept"] = "application/json"
  wrk.headers["User-Agent"] = "OpenAI/JS"
  wrk.headers["X-Stainless-Lang"] = "js"
  wrk.headers["X-Stainless-Runtime"] = "node"
end
