--- Calls a function that must refuse its arguments and gives the sentence: "#2 (the path is empty)".
return function(f, ...)
  local ok, message = pcall(f, ...)
  assert(not ok, "it was taken")
  return (tostring(message):gsub("^.*bad argument (#%d+) to '[^']*' ", "%1 "))
end
