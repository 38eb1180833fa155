-- What Neovim does with the server, for test_neovim.py, which reads the report that this writes.
local report = { errors = {} }
local patience_ms = 60000

local function write()
  local file = assert(io.open(os.getenv("COAI_REPORT"), "w"))
  file:write(vim.fn.json_encode(report))
  file:close()
end

local function main()
  local exit
  local id = vim.lsp.start_client({
    name = "coai",
    cmd = { os.getenv("COAI_SERVER"), "serve" },
    root_dir = vim.fn.getcwd(),
    on_error = function(code, problem)
      table.insert(report.errors, { code, vim.inspect(problem) })
    end,
    on_exit = function(code)
      exit = code
    end,
  })
  vim.lsp.buf_attach_client(0, id)
  local client = vim.lsp.get_client_by_id(id)
  assert(vim.wait(patience_ms, function()
    return client.initialized
  end), "the server did not start")

  local function ask(method, params)
    local answer = client.request_sync(method, params, patience_ms, vim.api.nvim_get_current_buf())
    assert(answer and not answer.err, method .. ": " .. vim.inspect(answer))
    return answer.result
  end

  -- The model is loaded meanwhile.
  assert(vim.wait(patience_ms, function()
    report.status = ask("coai/status", { uri = vim.uri_from_bufnr(0) })
    return report.status.phase == "ready"
  end, 200), "the model was not ready")

  -- A small model may have nothing to say at one place or another.
  for _, before in ipairs({ '    return "ä🛒", sum(item.', '    return "ä🛒", max(', '    return "ä🛒", ' }) do
    vim.api.nvim_buf_set_lines(0, -1, -1, false, { "", "def label(items: list[Item]):", before })
    local line = vim.api.nvim_buf_line_count(0) - 1
    report.position = {
      line = line,
      character = vim.lsp.util._str_utfindex_enc(before, #before, client.offset_encoding),
    }
    report.items = ask("textDocument/inlineCompletion", {
      textDocument = { uri = vim.uri_from_bufnr(0) },
      position = report.position,
      context = { triggerKind = 1 },
    }).items
    if #report.items > 0 then
      break
    end
  end
  report.why = ask("workspace/executeCommand", { command = "coai.why", arguments = {} })

  -- A file with a flaw: found when it is opened, explained, fixed, and gone when it is saved.
  vim.cmd("edit " .. os.getenv("COAI_FLAWED"))
  local buffer = vim.api.nvim_get_current_buf()
  vim.lsp.buf_attach_client(buffer, id)
  assert(vim.wait(patience_ms, function()
    return #vim.diagnostic.get(buffer) > 0
  end), "nothing was found")
  local found = vim.diagnostic.get(buffer)[1]
  report.diagnostic = { message = found.message, line = found.lnum, column = found.col }
  local place = { line = found.lnum, character = found.col + 1 }
  local document = { uri = vim.uri_from_bufnr(buffer) }
  report.hover = ask("textDocument/hover", { textDocument = document, position = place })
  report.actions = ask("textDocument/codeAction", {
    textDocument = document,
    range = { start = place, ["end"] = place },
    context = { diagnostics = vim.lsp.diagnostic.get_line_diagnostics(buffer, found.lnum) },
  })
  -- As `vim.lsp.buf.code_action` does: an edit that did not come with the action is asked for.
  local action = report.actions[1]
  if not action.edit then
    action = ask("codeAction/resolve", action)
  end
  vim.lsp.util.apply_workspace_edit(action.edit, client.offset_encoding)
  vim.cmd("silent write")
  assert(vim.wait(patience_ms, function()
    return #vim.diagnostic.get(buffer) == 0
  end), "the fix did not help")
  report.fixed = vim.api.nvim_buf_get_lines(buffer, 0, -1, false)

  -- The specialists: explained, asked about, and documented by the signature, as a code action.
  local function whole(line)
    return { start = { line = line, character = 0 }, ["end"] = { line = line, character = 4 } }
  end
  local function command(name, more)
    local asked = vim.tbl_extend("force", { uri = document.uri, range = whole(found.lnum) }, more)
    return ask("workspace/executeCommand", { command = name, arguments = { asked } })
  end
  report.explained = command("coai.explain", {})
  report.answered = command("coai.ask", { question = "What does `amount` return?" })
  local offered = ask("textDocument/codeAction", {
    textDocument = { uri = document.uri },
    range = whole(found.lnum),
    context = { diagnostics = {}, only = { "refactor.rewrite" } },
  })
  for _, each in ipairs(offered) do
    if each.title == "Document this function" then
      local made = each.edit and each or ask("codeAction/resolve", each)
      vim.lsp.util.apply_workspace_edit(made.edit, client.offset_encoding)
    end
  end
  report.documented = vim.api.nvim_buf_get_lines(buffer, 0, -1, false)

  client.stop()
  assert(vim.wait(patience_ms, function()
    return exit ~= nil
  end), "the server did not end")
  report.exit = exit
end

local ok, problem = pcall(main)
if not ok then
  table.insert(report.errors, tostring(problem))
end
write()
vim.cmd("qall!")
