# Compares what the model quotes with the code, so that neither drifts from the
# other. usage: awk -v code=DIR -f quotes.awk *.pml
#
#	//= file.go: func …    all of this function follows, in its order
#	//~ file.go: func …    some of it does, in its order
#	//| statement          stands for what is on this line, or on those around it
#	//- statement          left out
#	//.                    the end of a function

BEGIN { bad = 0 }

{ at = match($0, /\/\/[=~|.-]/) }
!at { next }
{ mark = substr($0, at + 2, 1); text = squeeze(substr($0, at + 3)) }

mark == "=" || mark == "~" { finish(); begin(mark, text); next }
mark == "." { finish(); next }
head == "" { complain("a quote outside of a function: " text); next }
{ quotes++; said[++many] = text; line[many] = FNR }

END {
	finish()
	printf "%d functions and %d statements quoted, %d differ from the code\n", functions, quotes, bad
	exit bad > 0
}

function begin(m, text,    colon) {
	colon = index(text, ": ")
	whole = m == "="
	file = substr(text, 1, colon - 1)
	head = substr(text, colon + 2)
	where = FILENAME ":" FNR
	functions++
	many = 0
}

# finish compares the function that ends here.
function finish(    i, j, path, found, text, inside, count, body) {
	if (head == "") return
	path = code "/" file
	while ((getline text < path) > 0) {
		if (squeeze(text) == head) { found++; inside = head !~ /}$/; continue }
		if (inside && text ~ /^}/) inside = 0
		if (!inside) continue
		text = statement(text)
		if (text != "") body[++count] = text
	}
	close(path)
	if (found != 1) complain(file " has no such function, or more than one: " head)
	else for (i = j = 1; i <= many || j <= count; j++) {
		if (said[i] == body[j] && i <= many && j <= count) { i++; continue }
		if (whole || j > count) {
			complain(file ", " head "\n\tthe model has: " (i <= many ? said[i] : "nothing") "\n\tthe code has:  " (j <= count ? body[j] : "nothing"))
			break
		}
	}
	head = ""
}

# statement is a line of code without its comment, or "" if there is nothing else.
function statement(text) {
	text = squeeze(text)
	if (text ~ /^\/\//) return ""
	sub(/ \/\/ .*$/, "", text)
	return text ~ /^[})]*$/ ? "" : text
}

function squeeze(text) {
	gsub(/[ \t]+/, " ", text)
	sub(/^ /, "", text); sub(/ $/, "", text)
	return text
}

function complain(what) { bad++; print where ": " what }
