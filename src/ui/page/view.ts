/** The one door to the view library. */
import type { JSX } from 'preact';

export { createElement as h, render } from 'preact';
export { useEffect, useMemo, useRef, useState } from 'preact/hooks';

/** What a component gives. */
export type VNode = JSX.Element;
