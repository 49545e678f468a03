// A row that scrolls says so.

/** Where what a row holds is scrolled out of sight, the row fades out on that side (screen.css). */
export function hintAtMore(row) {
  const left = row.scrollLeft;
  const right = row.scrollWidth - row.clientWidth - left;
  row.classList.toggle("fv-more-left", left > 1);
  row.classList.toggle("fv-more-right", right > 1);
}
