-- wrk -s post.lua URL -- KEY BYTES: a chat completion request as an SDK sends it, with as many bytes of content.
function init(args)
  local before, after = '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"', '"}]}'
  wrk.method = "POST"
  wrk.body = before .. string.rep("x", tonumber(args[2]) - #before - #after) .. after
  wrk.headers["Authorization"] = "Bearer " .. args[1]
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Accept"] = "application/json"
  wrk.headers["User-Agent"] = "OpenAI/JS"
  wrk.headers["X-Stainless-Lang"] = "js"
  wrk.headers["X-Stainless-Runtime"] = "node"
end
