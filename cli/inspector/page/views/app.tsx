/** The whole page. */
import type { ComponentChildren } from 'preact';
import { Charts } from '../charts/charts.js';
import type { Inspector, Pane } from '../session/inspector.js';
import { Composer } from './composer.js';
import { ConnectionPane } from './connection-pane.js';
import { FilterBar } from './filter-bar.js';
import { Icon, type IconName } from './icon.js';
import { KeysDialog } from './keys-dialog.js';
import { MessageDetail } from './message-detail.js';
import { MessageList } from './message-list.js';
import { Notices } from './notices.js';
import { Separator } from './separator.js';
import { Toolbar } from './toolbar.js';

interface Props {
  inspector: Inspector;
  isNarrow: boolean;
}

export function App({ inspector, isNarrow }: Props): ComponentChildren {
  const { shown } = inspector;
  const { selected } = shown;
  const hasDetail = inspector.isDetailOpen && selected !== undefined && shown.session.store.has(selected);
  const pane = isNarrow ? inspector.pane : undefined;
  return (
    <div class={`app ${hasDetail ? 'has-detail' : ''}`}>
      <Toolbar inspector={inspector} />
      <Notices inspector={inspector} />
      <main class="panes">
        {(pane === undefined || pane === 'connections') && <ConnectionPane inspector={inspector} />}
        {(pane === undefined || pane === 'messages') && (
          <section class="message-pane" aria-label="Messages">
            <FilterBar inspector={inspector} />
            <MessageList inspector={inspector} isNarrow={isNarrow} />
          </section>
        )}
        {hasDetail && (pane === undefined || pane === 'messages') && (
          <>
            {!isNarrow && <Separator />}
            <MessageDetail inspector={inspector} number={selected} isNarrow={isNarrow} />
          </>
        )}
        {pane === 'charts' && <Charts inspector={inspector} />}
      </main>
      {!isNarrow && inspector.hasCharts && <Charts inspector={inspector} />}
      {isNarrow && <PaneButtons inspector={inspector} />}
      {inspector.draft !== undefined && <Composer inspector={inspector} draft={inspector.draft} />}
      {inspector.hasKeys && <KeysDialog inspector={inspector} />}
      {inspector.isDropping && <div class="drop-hint">Drop the recording to open it</div>}
    </div>
  );
}

const PANES: [pane: Pane, text: string, icon: IconName][] = [
  ['connections', 'Connections', 'ends'],
  ['messages', 'Messages', 'list'],
  ['charts', 'Charts', 'charts'],
];

/** The choice of the pane, on a narrow page. */
function PaneButtons({ inspector }: { inspector: Inspector }): ComponentChildren {
  return (
    <nav class="pane-buttons" aria-label="Panes">
      {PANES.map(([pane, text, icon]) => (
        <button
          key={pane}
          type="button"
          aria-current={inspector.pane === pane ? 'page' : undefined}
          onClick={() => {
            inspector.pane = pane;
            inspector.changed();
          }}
        >
          <Icon name={icon} />
          {text}
        </button>
      ))}
    </nav>
  );
}
