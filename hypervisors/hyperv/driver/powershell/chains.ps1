# The machine's disks: overlays, and what they stand on.

function Get-DriveAt {
    param($Vm, $Slot)
    # All of them are asked for: of a controller that is not there yet the cmdlet may say that, as an error.
    foreach ($drive in @(Get-VMHardDiskDrive -VM $Vm)) {
        $same = ([string]$drive.ControllerType -eq $Slot.controller) -and ($drive.ControllerNumber -eq $Slot.number)
        if ($same -and ($drive.ControllerLocation -eq $Slot.location)) {
            return $drive
        }
    }
}

function Invoke-Chain {
    param($Request)
    $vm = Get-Machine -RecoveryId $Request.recoveryId
    $disks = @()
    foreach ($drive in @(Get-VMHardDiskDrive -VM $vm)) {
        $files = Get-DiskChain -Path $drive.Path
        $disks += , ([ordered]@{ slot = Get-SlotFacts -Drive $drive; files = $files })
    }
    $there = @()
    foreach ($path in @($Request.awaited)) {
        if ([IO.File]::Exists($path)) {
            $there += , ([string]$path)
        }
    }
    return [ordered]@{ disks = $disks; awaited = $there }
}

function Assert-Parent {
    param([string]$Path, $Allowed)
    $parent = Get-ParentPath -Path $Path
    if (@($Allowed) -notcontains $parent) {
        Stop-Operation -Code 'chain_unexpected' -Message "$Path stands on '$parent', not on $(@($Allowed) -join ' or ')"
    }
    return $parent
}

# As Assert-Parent; null where the link is broken, so that Windows does not tell it. Whether Get-VHD fails of such a disk, and with
# which of these numbers, is a guess: its parent is away, was written to, or is itself no whole chain.
function Find-Parent {
    param([string]$Path, $Allowed)
    try {
        return Assert-Parent -Path $Path -Allowed $Allowed
    }
    catch {
        $failure = Get-Failure -Record $_
        if (@('0xC03A000D', '0xC03A000E', '0xC03A0019') -notcontains $failure.hresult) {
            throw
        }
    }
    return $null
}

function Invoke-MakeOverlay {
    param($Request)
    $vm = Get-Machine -RecoveryId $Request.recoveryId
    $made = $false
    if ([IO.File]::Exists($Request.path)) {
        [void](Assert-Parent -Path $Request.path -Allowed $Request.parent)
    }
    else {
        Test-DiskIdentity -Path $Request.parent -VirtualDiskId $Request.parentId
        New-Folder -Path ([IO.Path]::GetDirectoryName($Request.path))
        $unfinished = Get-UnfinishedPath -Path $Request.path
        [void](New-VHD -Path $unfinished -ParentPath $Request.parent -Differencing)
        Complete-File -From $unfinished -To $Request.path
        $made = $true
    }
    Connect-Overlay -Vm $vm -Path $Request.path -Slot $Request.slot
    return [ordered]@{ made = $made }
}

function Connect-Overlay {
    param($Vm, [string]$Path, $Slot)
    $there = @(Get-DriveAt -Vm $Vm -Slot $Slot)
    if ($there.Length -gt 0) {
        if ($there[0].Path -ne $Path) {
            Stop-Operation -Code 'chain_unexpected' -Message "where $Path belongs the machine has $($there[0].Path)"
        }
        # The session may have ended between the two steps.
        if ((Get-SettledState -Vm $Vm) -eq 'Off') {
            Set-FirstBoot -Vm $Vm -Slot $Slot
        }
        return
    }
    Assert-State -Vm $Vm -Allowed @('Off')
    if ($Slot.controller -eq 'SCSI') {
        while (@(Get-VMScsiController -VM $Vm).Length -le $Slot.number) {
            Add-VMScsiController -VM $Vm
        }
    }
    Add-VMHardDiskDrive -VM $Vm -ControllerType $Slot.controller -ControllerNumber $Slot.number -ControllerLocation $Slot.location -Path $Path
    Set-FirstBoot -Vm $Vm -Slot $Slot
}

# Firmware of generation 2 tries the network first, as that was there first; generation 1 boots from IDE 0:0.
function Set-FirstBoot {
    param($Vm, $Slot)
    if (($Vm.Generation -eq 2) -and ($Slot.number -eq 0) -and ($Slot.location -eq 0)) {
        $drive = @(Get-DriveAt -Vm $Vm -Slot $Slot)[0]
        Set-VMFirmware -VM $Vm -FirstBootDevice $drive
    }
}

function Invoke-Start {
    param($Request)
    $vm = Get-Machine -RecoveryId $Request.recoveryId
    $state = Get-SettledState -Vm $vm
    if (@(Get-RestingStates) -notcontains $state) {
        if (Test-Stopped -State $state) {
            Stop-Operation -Code 'state_wrong' -Message "$($vm.Name) is $state"
        }
        return [ordered]@{ started = $false }
    }
    Assert-Disks -Vm $vm -Disks $Request.disks
    Start-VM -VM $vm
    return [ordered]@{ started = $true }
}

# Each of its disks, and no others, stands on what is said, and none on a placeholder, which is empty.
function Assert-Disks {
    param($Vm, $Disks)
    $drives = @(Get-VMHardDiskDrive -VM $Vm)
    if ($drives.Length -ne @($Disks).Length) {
        Stop-Operation -Code 'chain_unexpected' -Message "$($Vm.Name) has $($drives.Length) disks, not $(@($Disks).Length)"
    }
    foreach ($disk in $Disks) {
        if ($null -eq (Find-Drive -Vm $Vm -Path $disk.leaf)) {
            Stop-Operation -Code 'chain_unexpected' -Message "$($Vm.Name) does not have the disk $($disk.leaf)"
        }
        [void](Assert-Parent -Path $disk.leaf -Allowed ([string]$disk.parent))
        if (($null -ne $disk.awaited) -and [IO.File]::Exists($disk.awaited)) {
            Stop-Operation -Code 'chain_unexpected' -Message "$($disk.leaf) stands on an empty disk, whose place $($disk.awaited) has not taken"
        }
    }
}

# Offline alone: that Set-VHD also does it under a running machine (-LeafPath) is documented in one place and denied in
# another. The ids differ where the target was not made after the base, and content is proven by digests:
# https://learn.microsoft.com/powershell/module/hyper-v/set-vhd
# What it stood on may be away: the overlay is ours by its path at the machine.
function Invoke-Reparent {
    param($Request)
    $vm = Get-Machine -RecoveryId $Request.recoveryId
    Assert-State -Vm $vm -Allowed @(Get-RestingStates)
    if ($null -eq (Find-Drive -Vm $vm -Path $Request.overlay)) {
        Stop-Operation -Code 'chain_unexpected' -Message "$($vm.Name) does not have the disk $($Request.overlay)"
    }
    # What a checkpoint has left that is gone VMMS merges, into whatever it stands on.
    if ($Request.overlay -like '*.avhdx') {
        $own = @(Select-OwnCheckpoint -Snapshots @(Get-VMSnapshot -VM $vm) -RecoveryId $Request.recoveryId)
        if ($own.Length -eq 0) {
            Stop-Operation -Code 'chain_unexpected' -Message "$($vm.Name) has no checkpoint any more that $($Request.overlay) is of"
        }
    }
    $parent = Find-Parent -Path $Request.overlay -Allowed (@($Request.from) + $Request.parent)
    # An order of a session that was lost may come when the target has gone back: the empty disk in its place has its identity.
    if (($null -ne $Request.awaited) -and [IO.File]::Exists($Request.awaited)) {
        Stop-Operation -Code 'chain_unexpected' -Message "$($Request.parent) is an empty disk, whose place $($Request.awaited) has not taken"
    }
    Test-DiskIdentity -Path $Request.parent -VirtualDiskId $Request.parentId
    Grant-MachineAccess -Path $Request.parent -VmId ([string]$vm.Id)
    # Where nothing has broken the link it stays: what else had written to the parent would not be seen any more.
    if (($parent -eq $Request.parent) -and (-not $Request.anew)) {
        return [ordered]@{ changed = $false }
    }
    if ($Request.idsMayDiffer) {
        Set-VHD -Path $Request.overlay -ParentPath $Request.parent -IgnoreIdMismatch
    }
    else {
        Set-VHD -Path $Request.overlay -ParentPath $Request.parent
    }
    [void](Assert-Parent -Path $Request.overlay -Allowed $Request.parent)
    Sync-File -Path $Request.overlay
    return [ordered]@{ changed = ($parent -ne $Request.parent) }
}

# The order matters: the overlay is merged, the machine has the target, then the overlay goes, so that the machine's disk is a
# file that is there. A merge that was cut off, or has ended before the machine had the target, is done again from its
# beginning: the machine has the overlay for its disk, so nothing but a merge of it was written to the target, and a second
# one writes the same. Merge-VHD leaves the overlay, "no longer valid", since the target's id of content is another then: the
# overlay is linked to it anew first. https://learn.microsoft.com/powershell/module/hyper-v/merge-vhd
function Invoke-Merge {
    param($Request)
    $vm = Get-Machine -RecoveryId $Request.recoveryId
    Assert-State -Vm $vm -Allowed @('Off')
    $drive = @(Get-DriveAt -Vm $vm -Slot $Request.slot)
    if ($drive.Length -eq 0) {
        Stop-Operation -Code 'chain_unexpected' -Message "$($vm.Name) has no disk where $($Request.overlay) belongs"
    }
    if ($drive[0].Path -eq $Request.target) {
        # It was set after a whole merge. Nothing is said where there is none.
        [IO.File]::Delete($Request.overlay)
        return [ordered]@{ merged = $false }
    }
    if ($drive[0].Path -ne $Request.overlay) {
        Stop-Operation -Code 'chain_unexpected' -Message "where $($Request.overlay) belongs the machine has $($drive[0].Path)"
    }
    # Where it is gone, the power went before the machine's new disk was durable: that VMMS waits for that is not known.
    if ([IO.File]::Exists($Request.overlay)) {
        [void](Find-Parent -Path $Request.overlay -Allowed $Request.target)
        Set-VHD -Path $Request.overlay -ParentPath $Request.target -IgnoreIdMismatch
        Merge-VHD -Path $Request.overlay -DestinationPath $Request.target -Force
        Sync-File -Path $Request.target
    }
    Set-VMHardDiskDrive -VMHardDiskDrive $drive[0] -Path $Request.target
    [IO.File]::Delete($Request.overlay)
    return [ordered]@{ merged = $true }
}
