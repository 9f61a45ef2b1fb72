-- Work for the preload test of lua5.4: prints sums that do not depend on addresses.
-- Tables are walked by index or sorted key only: pairs() order depends on the string seed.

local seed = 1
local function random(n)
	seed = (seed * 1103515245 + 12345) & 0x7fffffff
	return (seed >> 8) % n + 1
end

local function hash(text, sum)
	sum = sum or 5381
	for i = 1, #text do
		sum = (sum * 33 + text:byte(i)) & 0xffffffff
	end
	return sum
end

local function tree(depth)
	if depth == 0 then return { leaf = random(100) } end
	return { tree(depth - 1), tree(depth - 1), name = "d" .. depth }
end

local function total(t)
	return t.leaf or total(t[1]) + total(t[2]) + #t.name
end

local function strings()
	local words = {}
	for i = 1, 40000 do
		words[i] = string.rep(string.char(96 + random(26)), random(40)) .. i
	end
	table.sort(words)
	local text = table.concat(words, " ")
	local swapped = text:gsub("(%a+)(%d+)", "%2%1")
	local count = select(2, swapped:gsub("%d+", ""))
	return #text, hash(swapped:sub(1, 200000)), count
end

local function churn()
	local live, sum = {}, 0
	for i = 1, 200000 do
		local slot = random(5000)
		if live[slot] then sum = (sum * 31 + #live[slot]) & 0xffffffff end
		live[slot] = string.rep("x", random(i % 100 == 0 and 50000 or 300)) .. i
	end
	for slot = 1, 5000 do
		if live[slot] then sum = hash(live[slot]:sub(-40), sum) end
	end
	return sum
end

local function coroutines()
	local sum, alive = 0, {}
	for i = 1, 2000 do
		alive[i] = coroutine.wrap(function()
			local made = {}
			for k = 1, 10 do
				made[k] = function() return i * k end
				coroutine.yield(made[k]())
			end
			return 0
		end)
	end
	for _ = 1, 11 do
		for i = 1, #alive do sum = sum + alive[i]() end
	end
	return sum
end

local function growth()
	local sparse = {}
	for i = 1, 300000 do sparse[i * 7 % 300007] = i end
	for i = 1, 300000, 3 do sparse[i] = nil end
	local n = 0
	for i = 1, 300007 do if sparse[i] then n = n + sparse[i] end end
	return n
end

for _, mode in ipairs({ "incremental", "generational" }) do
	collectgarbage(mode)
	print(mode, total(tree(16)))
	print("strings", strings())
	print("churn", churn())
	print("coroutines", coroutines())
	print("growth", growth())
	collectgarbage()
end
