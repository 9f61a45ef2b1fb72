"use strict";
/* Frames lie where the page has put them, in parts of the width; what is done here is to look at a
 * part of them, and to colour those with a name in it. */
const graph = document.getElementById("graph"), about = document.getElementById("about");
const reset = document.getElementById("reset"), search = document.getElementById("search");
const frames = Array.from(graph.children, element => ({
	element, left: parseFloat(element.style.left), width: parseFloat(element.style.width),
	bytes: Number(element.dataset.bytes), depth: Number(element.dataset.depth),
	text: element.title.toLowerCase(),
}));
const root = frames[0], untold = about.textContent;
const frameOf = new Map(frames.map(frame => [frame.element, frame]));
const SLACK = 1e-5; /* of numbers that were rounded to six digits */

function isWithin(frame, outer) {
	return frame.left >= outer.left - SLACK &&
	       frame.left + frame.width <= outer.left + outer.width + SLACK;
}

function place(frame, left, width) {
	frame.element.style.left = left + "%";
	frame.element.style.width = width + "%";
}

/* The frame and all that it has called take the whole width; its callers stay, pale. */
function zoom(to) {
	for (const frame of frames) {
		const isBelow = frame.depth >= to.depth && isWithin(frame, to);
		const isAbove = frame.depth < to.depth && isWithin(to, frame);

		frame.element.hidden = !isBelow && !isAbove;
		frame.element.classList.toggle("up", isAbove);
		if (isAbove)
			place(frame, 0, 100);
		else if (isBelow)
			place(frame, (frame.left - to.left) / to.width * 100,
			      frame.width / to.width * 100);
	}
	reset.hidden = to === root;
}

/* What has been found, those within another one not counted twice. */
function find(text) {
	const wanted = text.trim().toLowerCase();
	let bytes = 0, end = 0;

	for (const frame of frames) {
		const isFound = wanted !== "" && frame !== root && frame.text.includes(wanted);

		frame.element.classList.toggle("found", isFound);
		if (isFound && (frame.left >= end - SLACK)) {
			bytes += frame.bytes;
			end = frame.left + frame.width;
		}
	}
	about.textContent = wanted === "" ? untold :
		bytes.toLocaleString("en") + " bytes (" +
		(root.bytes ? bytes / root.bytes * 100 : 0).toFixed(2) + " %) in stacks with “" +
		text.trim() + "”";
}

graph.addEventListener("click", event => {
	const frame = frameOf.get(event.target);

	if (frame)
		zoom(frame);
});
graph.addEventListener("mouseover", event => {
	if (frameOf.has(event.target))
		about.textContent = event.target.title.replaceAll("\n", " · ");
});
graph.addEventListener("mouseleave", () => find(search.value));
search.addEventListener("input", () => find(search.value));
reset.addEventListener("click", () => zoom(root));
document.addEventListener("keydown", event => {
	if (event.key !== "Escape")
		return;
	search.value = "";
	find("");
	zoom(root);
});
document.querySelector(".bar").hidden = false;
