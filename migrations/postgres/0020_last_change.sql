-- The last entry that changed what a work's record says to everybody: until now only those that changed its title, kind or state.
UPDATE catalog_works SET updated_idx = GREATEST(updated_idx, COALESCE((SELECT MAX(idx) FROM catalog_history
    WHERE subject = catalog_works.work AND type IN (
    'work.registered', 'work.amended', 'work.withdrawn', 'works.merged', 'holding.asserted', 'holding.relinquished',
    'binding.asserted', 'binding.removed', 'assertions.confirmed', 'assertions.rejected', 'control.proved',
    'transfer.accepted', 'roster.declared', 'roster.same_as_parent', 'layers.declared', 'layer.linked',
    'part.linked', 'part.accepted', 'link.removed', 'claim.made', 'claim.withdrawn', 'dispute.opened',
    'dispute.settled'
    )), 0));
