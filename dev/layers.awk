# layers.awk -- fails on an include that the house does not allow.
# Reads sidecar/LAYERS first, then every source. Between folders the table below rules; inside sidecar/, and for what
# sidecar/ takes from base/ and protocol/, LAYERS does: a module may include only modules on lines above its own.
BEGIN {
	may["protocol"] = ""
	may["base"] = "protocol"
	may["client"] = "protocol"
	may["sidecar"] = "protocol base"
	may["adder"] = may["totalizer"] = "client base protocol"
	may["dev"] = "base"
}
FILENAME ~ /LAYERS$/ {
	if ($0 !~ /^#/ && NF) {
		rank++
		for (i = 1; i <= NF; i++)
			at[$i] = rank
	}
	next
}
FNR == 1 {
	folder = FILENAME
	sub(/\/.*/, "", folder)
	me = FILENAME
	sub(/.*\//, "", me)
	sub(/\.[chS]$/, "", me)
	if (!(folder in may))
		fail(FILENAME ": folder " folder " has no row in layers.awk")
	if (folder == "sidecar" && !(me in at))
		fail(FILENAME ": not in sidecar/LAYERS")
}
/^#[ \t]*include "/ {
	split($0, q, "\"")
	there = folder
	inc = q[2]
	if (inc ~ /\.pb-c\.h$/)
		next
	if (inc ~ /\//) {
		there = inc
		sub(/\/.*/, "", there)
		sub(/.*\//, "", inc)
	}
	sub(/\.(h|def)$/, "", inc)
	if (there != folder && index(" " may[folder] " ", " " there " ") == 0)
		fail(FILENAME ":" FNR ": " folder " may not include " there)
	if (folder != "sidecar" || inc == me)
		next
	if (!(inc in at))
		fail(FILENAME ":" FNR ": " inc " is not in sidecar/LAYERS")
	else if (at[inc] >= at[me])
		fail(FILENAME ":" FNR ": " me " may not include " inc)
}
function fail(text) {
	print text
	bad = 1
}
END { exit bad }
