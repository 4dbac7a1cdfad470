/** Starts the page: one store, drawn again in the next frame after it changed, and the keys. */
import { shortcutOf } from './keys.ts';
import { Page, press } from './page.ts';
import { openRow } from './page-state.ts';
import { Store } from './store.ts';
import { h, render } from './view.ts';

const place = document.getElementById('page');
let isDue = false;

const store = new Store(() => {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(draw);
});

function draw(): void {
  isDue = false;
  if (place !== null) render(h(Page, { state: store.state, store }), place);
}

addEventListener('keydown', (event) => {
  if (store.state.isHelpOpen) return;
  if (event.key === 'Escape') return leave();
  const key = shortcutOf(event);
  if (key === undefined) return;
  event.preventDefault();
  press(key, store);
});

/** Closes the open row; then leaves the field or the table. */
function leave(): void {
  if (store.state.open !== undefined) store.update((state) => openRow(state, undefined));
  else if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
}

draw();
void store.examine(false);
