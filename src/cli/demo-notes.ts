/** Notes for the demonstration: what people keep, in the shapes they keep it in. */

export const DEMO_NOTES: Readonly<Record<string, string>> = {
  "garden/tomatoes.md": `---
title: Tomatoes
tags: [garden, summer]
---

# Tomatoes

- Sow indoors in the second week of March
- Harden off from the middle of May
- 60 cm between plants, string from above

## Varieties

| name | when | taste |
| --- | --- | --- |
| Black Krim | August | rich, a little smoky |
| Gardener's Delight | July | sweet, small |
`,
  "reading/how-to-solve-it.md": `---
title: How to Solve It
author: G. Pólya
tags: [reading, mathematics]
---

# How to Solve It

1. Understand the problem: what is unknown, what is given?
2. Devise a plan: do you know a related problem?
3. Carry out the plan: check each step.
4. Look back: can you use the result for another problem?

> If you can't solve a problem, then there is an easier problem you can't solve: find it.
`,
  "work/retrospective.md": `# Retrospective

- [x] Write down what was promised
- [ ] Ask two users what they expected
- [ ] Decide what to drop
`,
  "ideas.md": `# Ideas

- A bench in the yard that catches the evening sun
- Swap the two bookshelves
`,
}

/** The same note, edited on two devices between two syncs. */
export const DEMO_EDITS = {
  laptop: `# Ideas

- A bench in the yard that catches the evening sun
- Swap the two bookshelves
- Ask Jo about the price of larch boards
- Measure the yard on Saturday
`,
  phone: `# Ideas

- A bench in the yard that catches the evening sun
- Swap the two bookshelves, and paint the small one
`,
} as const
