# Tells a counter-example by the statements of the code that the model quotes: who
# does what, in which order. What the code does not have stands in brackets.

BEGIN {
	while (("ls *.pml" | getline file) > 0)
		for (n = 1; (getline text < file) > 0; n++)
			if (at = match(text, /\/\/[|] /)) quote[file ":" n] = substr(text, at + 4)
}

$2 == "proc" {
	who = $4; sub(/\(/, "", who); sub(/:.*/, "", who)
	if (who == "" || who == "judge") next
	where = $5
	step = $0; sub(/^[^[]*/, "", step)
	if (where in quote) what = quote[where]
	else if (step ~ /owed|unseen|parked|file\[|stopped = |ready/ && step !~ /else/) what = step
	else next
	if (where == last && $3 == lastWho) next
	last = where; lastWho = $3
	printf "\t%-9s %s\n", who " " $3, what
}

/assertion violated|spin: .*Error/ { print "\t" $0 }
