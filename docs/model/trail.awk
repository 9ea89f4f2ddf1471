# Tells a counter-example by the statements of the code that the model quotes: who
# does what, in which order. What is not the code's, or not as it is there, stands
# in brackets, in the model's words.

BEGIN {
	while (("ls *.pml" | getline file) > 0)
		for (n = 1; (getline text < file) > 0; n++)
			if (at = match(text, /\/\/[|] /)) quote[file ":" n] = substr(text, at + 4)
}

$2 == "proc" {
	who = substr($4, 2); sub(/:.*/, "", who)
	if (who == "" || who == "judge") next
	step = $0; sub(/^[^[]*/, "", step)
	if ($5 in quote) what = quote[$5]
	else if (told(step)) what = step
	else next
	if (what ~ /^(for \{|return|return s|if !ok \{)$/) next
	if ($5 == last && $3 == lastWho) next
	last = $5; lastWho = $3
	printf "\t%-11s %.90s\n", who " " $3, what
}

# told says whether a step that is not quoted changes what others see, or is a
# look at it that matters.
function told(step) {
	return step ~ /^\[(owed|unseen|parked|stopped|sweeping|file.*(gone|edge|ready|deadline)|req.*state|ok = \(*(parked|req))/
}
